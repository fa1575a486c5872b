import { TemplateRenderError } from './errors';

/** Within the quotes of a JSON string. */
export function jsonSafe(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Encoded, it cannot leave its place in the path; but `.` and `..` need no encoding and would. */
export function urlSafe(text: string): string {
  if (text === '.' || text === '..') throw new TemplateRenderError('a value in a URL is "." or "..", which would name another resource');
  return encodeURIComponent(text.toWellFormed());
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
