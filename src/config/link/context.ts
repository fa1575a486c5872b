import type { BodyTemplate } from '../../event/definitions';
import { compileTemplate, hasTags, type Template } from '../../matching/template/template';
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

/** Text by text, so that each mistake has its own place; as a whole only when they are all right, for what lies between them. */
export function checkBody(problems: FileProblems, body: BodyTemplate, compileWhole: () => Template, path: Path): void {
  const before = problems.found.length;
  const visit = (part: unknown, at: Path): void => {
    if (typeof part === 'string') problems.template(at, () => compileTemplate(part, 'text'));
    else if (Array.isArray(part)) part.forEach((entry, i) => visit(entry, [...at, i]));
    else if (typeof part === 'object' && part !== null)
      for (const [key, entry] of Object.entries(part)) {
        if (hasTags(key)) problems.template(at, () => compileTemplate(key, 'text'));
        visit(entry, [...at, key]);
      }
  };
  visit(body, path);
  if (problems.found.length === before) problems.whole(path, compileWhole);
}
