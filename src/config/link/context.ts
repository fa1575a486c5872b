import type { FileProblems, Path } from '../file-problems';
import type { Settings } from '../settings';
import type { CustomActionTypes } from '../custom-action-types';
import type { EndpointLinker } from './endpoints';

/** What the linking of an action works with. */
export interface LinkContext {
  readonly problems: FileProblems;
  readonly settings: Settings;
  readonly endpoints: EndpointLinker;
  readonly custom: CustomActionTypes;
}

/** One action in the file. */
export interface ActionPlace {
  /** With the default applied. */
  readonly name: string;
  /** `observer/action`: the name of an endpoint of its own. */
  readonly fullName: string;
  readonly path: Path;
}

/** @param what that needs it */
export function checkRedis({ problems, settings }: LinkContext, what: string, path: Path): void {
  if (settings.redisUrl === null) problems.add([...path, 'type'], `${what} needs a server: set REDIS_URL, or redis_url under settings:`);
}
