import { TemplateRenderError } from './errors';

/** Within the quotes of a JSON string. */
export function jsonSafe(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Stands for a value that is empty until the whole URL is there: in the path it is refused, in the query it is nothing. No value and no literal holds it. */
const EMPTY = '\0';
const EMPTY_VALUE = /\0([^\0]*)\0/g;

/**
 * Encoded, it cannot leave its place in the path; but `.` and `..` need no encoding and would.
 *
 * @param name what it is, as the template says it
 */
export function urlSafe(text: string, name: () => string): string {
  if (text === '') return EMPTY + name() + EMPTY;
  if (text === '.' || text === '..') throw new TemplateRenderError('a value in a URL is "." or "..", which would name another resource');
  return encodeURIComponent(text.toWellFormed());
}

/** Path and query as a request holds them, made of literals and of values that are encoded. @throws TemplateRenderError */
export function wholeUrl(text: string): string {
  const [path] = splitAtQuery(text);
  const [empty] = path.matchAll(EMPTY_VALUE);
  if (empty !== undefined) throw new EmptyValueError(empty[1] ?? '');
  if (path.split('/').some(isDotSegment))
    throw new TemplateRenderError('a part of the path is "." or ".." once it is rendered, which would name another resource');
  return encodeUrl(text.replace(EMPTY_VALUE, ''));
}

/** `DELETE /orders/` is another request than `DELETE /orders/42`: who means it says so, with `allow_empty`. */
export class EmptyValueError extends TemplateRenderError {
  constructor(name: string) {
    super(`a value in the path of the URL is empty or missing (${name}); where that is meant: {{ ${name} | allow_empty }}`);
  }
}

/** A part of a path that goes up, or nowhere. */
export function isDotSegment(part: string): boolean {
  return /^(?:\.|%2e){1,2}$/i.test(part);
}

/**
 * The literals of path and query, percent-encoded as the URL standard (WHATWG) says. What is encoded already stays, and so does a reference of the
 * file that is shown unresolved (`${TOKEN}`); nothing is sent with one.
 */
export function encodeUrl(text: string): string {
  const [path, query] = splitAtQuery(text.toWellFormed());
  return (
    path.replace(/\$\{\w+\}|[^\x21-\x7e]+|["<>`{}]+/g, (part) => (part.startsWith('$') ? part : percentEncoded(part))) +
    query.replace(/[^\x21-\x7e]+|["'<>#]+/g, (part) => percentEncoded(part))
  );
}

function splitAtQuery(text: string): [path: string, query: string] {
  const at = text.indexOf('?');
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at)];
}

function percentEncoded(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

/** In HTML's text and in quoted attributes. */
export function htmlSafe(text: string): string {
  return slackSafe(text).replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}

/** In Slack's mrkdwn these three begin mentions and links; escaped, a value is shown as it is. */
export function slackSafe(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** A header may not hold line breaks (they would begin another header); what is not printable ASCII is percent-encoded UTF-8. */
export function headerSafe(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what is refused
  if (/[\0-\x08\x0a-\x1f\x7f]/.test(text)) throw new TemplateRenderError('a header value holds a line break or another control character');
  return text.toWellFormed().replace(/[^\t\x20-\x7e]+/g, (other) => encodeURIComponent(other));
}

/** In a pattern of Redis a value stands for itself. Without a value the pattern would be of many more keys than are meant. */
export function patternSafe(text: string): string {
  if (text === '') throw new TemplateRenderError('a value in a pattern is empty or missing, so that it would fit keys that are not meant');
  return text.replace(/[*?[\]\\^-]/g, '\\$&');
}

/** The name of a topic in a condition of Firebase: nothing that could end its quotes and name others. */
export function topicSafe(text: string): string {
  if (!/^[\w.~%-]+$/.test(text))
    throw new TemplateRenderError('a value in the condition is empty, or holds something that the name of a topic cannot have');
  return text;
}

/** Within one part of a NATS subject: what has a meaning there is percent-encoded, and so is the sign itself. */
export function subjectSafe(text: string): string {
  if (text === '') throw new TemplateRenderError('a value in the subject is empty or missing');
  return text
    .toWellFormed()
    .replace(/[\0-\x20\x7f.*>%]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}
