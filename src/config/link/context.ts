import type { Complaints, Path } from '../complaints';
import type { Settings } from '../settings';
import type { CustomActionTypes } from '../custom-action-types';
import type { EndpointLinker } from './endpoints';

/** What the linking of an action works with. */
export interface LinkContext {
  readonly says: Complaints;
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
export function checkRedis({ says, settings }: LinkContext, what: string, path: Path): void {
  if (settings.redisUrl === null) says.complain([...path, 'type'], `${what} needs a server: set REDIS_URL, or redis_url under settings:`);
}
