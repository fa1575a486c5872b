import type { Complaints, Path } from '../complaints';
import type { Settings } from '../settings';
import type { EndpointLinker } from './endpoints';

/** What the linking of an action works with. */
export interface LinkContext {
  readonly says: Complaints;
  readonly settings: Settings;
  readonly endpoints: EndpointLinker;
}

/** One action in the file. */
export interface ActionPlace {
  /** With the default applied. */
  readonly name: string;
  /** `observer/action`: the name of an endpoint of its own. */
  readonly fullName: string;
  readonly path: Path;
}
