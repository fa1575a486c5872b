import { Injectable, Module, type DynamicModule } from '@nestjs/common';
import { Connections, ConnectionsModule } from '../connections/connections.module';
import { DatabaseUrl } from '../database/database.module';
import type { ObserverDefinition } from '../event/definitions';
import type { TermContext } from '../event/term-context';
import { Tracing } from '../tracing/tracing';
import { ActionRunner } from './action-runner';
import { CustomActions } from './custom/custom-actions';
import { ExactlyOnceCalls } from './database/once';

/** Every type of action, those of the user's own modules among them. */
@Injectable()
export class ActionRunners {
  constructor(
    private readonly connections: Connections,
    private readonly url: DatabaseUrl,
    private readonly custom: CustomActions,
    private readonly tracing: Tracing,
  ) {}

  /** @throws what an action's preparation throws */
  open(term: TermContext, observers: readonly ObserverDefinition[]): ActionRunner {
    const { custom, tracing } = this;
    const once = new ExactlyOnceCalls(this.url.text, term);
    return new ActionRunner(observers, term.logger, { connections: this.connections.open(), once, custom, tracing });
  }
}

@Module({ imports: [ConnectionsModule], providers: [ActionRunners], exports: [ActionRunners] })
export class ActionsModule {
  /** @param custom those that the configuration was loaded with: who loaded them closes them */
  static of(custom: CustomActions): DynamicModule {
    return { module: ActionsModule, global: true, providers: [{ provide: CustomActions, useValue: custom }], exports: [CustomActions] };
  }
}
