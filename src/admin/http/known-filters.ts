import { Injectable } from '@nestjs/common';
import { didYouMean } from '../../config/problems';
import { RunningConfiguration } from '../../config/running-configuration';
import { ServiceConfiguration } from '../../config/service-configuration';
import { allows, type Bounds } from '../../event/bounds';
import { KnownNames, type NameFilter } from '../../redrive/known-names.service';
import { ApiProblem } from './problem';

const MEMBERS: Readonly<Record<keyof NameFilter, string>> = {
  observer: 'observer',
  action: 'action',
  endpoint: 'endpoint',
  entityType: 'entity_type',
};

/** Names in the filters of requests. */
@Injectable()
export class KnownFilters {
  constructor(
    private readonly configuration: ServiceConfiguration,
    private readonly running: RunningConfiguration,
    private readonly names: KnownNames,
  ) {}

  /**
   * For when nothing matches: whether there could be anything.
   *
   * @param bounds of whoever asks: what they may not see is not named to them
   * @throws ApiProblem when something is named that there is not
   */
  async require(part: 'query' | 'body', filter: Partial<NameFilter>, bounds: Bounds): Promise<void> {
    const { definition } = await this.running.of(this.configuration.settings.stream);
    const whole = { observer: null, action: null, endpoint: null, entityType: null, ...filter };
    const unknown = await this.names.unknownOf(whole, [definition]);
    if (unknown === null) return;
    const { of, word, name, known } = unknown;
    const seen = bounds.observers === null ? known : of === 'observer' ? known.filter((one) => allows(bounds.observers, one)) : [];
    const message = `there is no ${word} "${name}"${didYouMean(name, seen)}`;
    throw new ApiProblem('invalid-request', message, { violations: [{ at: `${part}.${MEMBERS[of]}`, message }] });
  }
}
