import { domainToASCII } from 'node:url';
import { TemplateRenderError } from './errors';

/** Somebody who mail goes to, or comes from. */
export interface Mailbox {
  /** What mail programs show; empty where there is none. */
  readonly name: string;
  /** `local@domain`, the domain in ASCII (RFC 5891) unless it is an address in brackets. */
  readonly address: string;
}

// What a value is written between while a template is rendered. With them it is known afterwards what the file says and what the data
// says: only what the file says makes names, addresses and lists.
const BEGIN = '\u{E000}';
const END = '\u{E001}';
const VALUE = new RegExp(`${BEGIN}([^${END}]*)${END}`);
/** RFC 5321, 4.5.3.1. */
const LONGEST_LOCAL_PART = 64;
const LONGEST_DOMAIN = 253;
/** Longer ones make lines that mail servers do not take, however they are folded. */
const LONGEST_NAME = 320;
/** Recipients that one template may give, as the list of an action may have. */
const MOST_MAILBOXES = 100;

/** A sign of the file, or a value of the data. */
type Piece = string | { readonly value: string };

/** Whether a template holds what only we may write. */
export function hasMarks(source: string): boolean {
  return source.includes(BEGIN) || source.includes(END);
}

/** A value within what is rendered. */
export function markValue(text: string): string {
  return `${BEGIN}${encodeURIComponent(text.toWellFormed())}${END}`;
}

/**
 * The mailboxes that a rendered template names, in its order: `name <address>` or `address`, with commas between. Signs of the file have
 * the meaning that RFC 5322 gives them; a value is only ever part of a name, of a local part or of a domain, or one whole address.
 *
 * @throws TemplateRenderError without the value, which is payload
 */
export function parseMailboxes(rendered: string): Mailbox[] {
  const mailboxes = elementsOf(piecesOf(rendered)).map(mailboxOf);
  if (mailboxes.length > MOST_MAILBOXES) throw refusal(`there are more than ${MOST_MAILBOXES} addresses`);
  return mailboxes;
}

/** As a header has it, in Unicode. */
export function mailboxText({ name, address }: Mailbox): string {
  if (name === '') return address;
  return `${/^[^"(),.:;<>@[\\\]]*$/.test(name) ? name : `"${name.replace(/["\\]/g, '\\$&')}"`} <${address}>`;
}

function refusal(why: string): TemplateRenderError {
  return new TemplateRenderError(why);
}

function piecesOf(rendered: string): Piece[] {
  // Every second one is what stands between the marks.
  return rendered.split(VALUE).flatMap((part, i): Piece[] => (i % 2 === 1 ? [{ value: decodeURIComponent(part) }] : [...part]));
}

/** Which quotes or brackets of the file a sign stands in. */
interface Nesting {
  quoted: boolean;
  escaped: boolean;
  angle: boolean;
}

function follow(nesting: Nesting, piece: Piece): void {
  if (nesting.escaped) nesting.escaped = false;
  else if (nesting.quoted && piece === '\\') nesting.escaped = true;
  else if (piece === '"') nesting.quoted = !nesting.quoted;
  else if (!nesting.quoted && piece === '<') nesting.angle = true;
  else if (!nesting.quoted && piece === '>') nesting.angle = false;
}

/** Parted at the commas of the file; what is empty is left out, so that a loop may end with one. */
function elementsOf(pieces: readonly Piece[]): Piece[][] {
  const elements: Piece[][] = [[]];
  const nesting: Nesting = { quoted: false, escaped: false, angle: false };
  for (const piece of pieces) {
    if (piece === ',' && !nesting.quoted && !nesting.angle) {
      elements.push([]);
      continue;
    }
    follow(nesting, piece);
    elements.at(-1)?.push(piece);
  }
  if (nesting.quoted) throw refusal('a quote is not closed in the template');
  if (nesting.angle) throw refusal('a < is not closed in the template');
  return elements.map(trimmed).filter((element) => element.length > 0);
}

function isBlank(piece: Piece | undefined): boolean {
  return typeof piece === 'string' && /^[ \t\r\n]$/.test(piece);
}

function trimmed(pieces: readonly Piece[]): Piece[] {
  const first = pieces.findIndex((piece) => !isBlank(piece));
  return first === -1 ? [] : pieces.slice(first, pieces.findLastIndex((piece) => !isBlank(piece)) + 1);
}

function mailboxOf(element: readonly Piece[]): Mailbox {
  const nesting: Nesting = { quoted: false, escaped: false, angle: false };
  const open = element.findIndex((piece) => {
    follow(nesting, piece);
    return nesting.angle;
  });
  if (open === -1) return { name: '', address: addressOf(element) };
  const inside = element.slice(open + 1);
  if (inside.indexOf('>') !== inside.length - 1) throw refusal('something stands behind the > in the template; part addresses by commas');
  return { name: nameOf(element.slice(0, open)), address: addressOf(trimmed(inside.slice(0, -1))) };
}

/** RFC 2047. Within quotes it should stay what it is, and many programs read it all the same; before an @ some find another address in it. */
const ENCODED_WORD = /=\?[^?\s]+\?[bq]\?[^?\s]*\?=/i;

/** Values stand in it as they are: nodemailer quotes or encodes the whole. */
function nameOf(pieces: readonly Piece[]): string {
  let name = '';
  let quoted = false;
  let escaped = false;
  for (const piece of pieces) {
    if (typeof piece !== 'string') name += piece.value;
    else if (escaped) [name, escaped] = [name + piece, false];
    else if (quoted && piece === '\\') escaped = true;
    else if (piece === '"') quoted = !quoted;
    else if (quoted) name += piece;
    // A fold of the file, or an indented line of YAML.
    else if (isBlank(piece)) name += name.endsWith(' ') ? '' : ' ';
    else if (':;>'.includes(piece)) throw refusal(`a name with "${piece}" is written in quotes; groups are not possible`);
    else name += piece;
  }
  // Line breaks of any kind, and what a terminal or a mail program would obey.
  if (/[\p{Cc}\u2028\u2029]/u.test(name)) throw refusal('a name holds a line break or another control character');
  if (ENCODED_WORD.test(name)) throw refusal('a name holds an encoded word (=?…?=), which mail programs would read as something else');
  if (name.length > LONGEST_NAME) throw refusal(`a name has ${name.length} characters, and may have ${LONGEST_NAME}`);
  return name.trim();
}

function addressOf(pieces: readonly Piece[]): string {
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined && typeof first !== 'string') return wholeAddress(first.value);
  const at = pieces.indexOf('@');
  if (at === -1) throw refusal('an address is one value, or has its @ in the template');
  if (pieces.lastIndexOf('@') !== at) throw refusal('there are two @ in an address of the template');
  return joined(pieces.slice(0, at), pieces.slice(at + 1));
}

/** A value that stands for an address is one, and nothing besides. */
function wholeAddress(value: string): string {
  const text = value.replace(/^[ \t]+|[ \t]+$/g, '');
  const [local = '', domain, ...more] = text.split('@');
  if (text === '') throw refusal('a value that stands for an address is empty or missing');
  if (domain === undefined || more.length > 0 || !LOCAL_PART.test(local) || !DOMAIN.test(domain))
    throw refusal('a value that stands for an address is not one, such as ann@example.org; names and commas are written in the template');
  return joined([...local], [{ value: domain }]);
}

// Letters, digits and signs that need no quotes (RFC 5321 and 6531). Quoted ones are not taken: what routes a mail by the first @ would
// send "a@elsewhere"@here elsewhere.
const ATOM = "[\\p{L}\\p{M}\\p{N}!#$%&'*+/=?^_`{|}~-]";
const LOCAL_PART = new RegExp(`^${ATOM}+(\\.${ATOM}+)*$`, 'u');
/** Without % and !, by which mail servers let an address in their own domain name another one (user%elsewhere@here). */
const VALUE_IN_LOCAL_PART = /^[\p{L}\p{M}\p{N}#$&'*+/=?^_`{|}~.-]+$/u;
const DOMAIN = /^[\p{L}\p{M}\p{N}.-]+$/u;
/** Its last label is no number, else it would be an address of a machine. */
const HOST_NAME = /^([a-z\d_]([a-z\d_-]*[a-z\d_])?\.)*(?=[a-z\d-]*[a-z])[a-z\d]([a-z\d-]*[a-z\d])?$/;
const LITERAL = /^\[(\d{1,3}(\.\d{1,3}){3}|IPv6:[\da-f:.]+)\]$/i;

function joined(localPart: readonly Piece[], domain: readonly Piece[]): string {
  return `${localPartOf(localPart)}@${domainOf(domain)}`;
}

function localPartOf(pieces: readonly Piece[]): string {
  checkValues(pieces, VALUE_IN_LOCAL_PART, 'before the @ of an address');
  const text = textOf(pieces);
  if (text.includes('=?')) throw refusal('what stands before the @ of an address holds the beginning of an encoded word (=?)');
  // Compatible forms (½, ﬁ) may become signs with a meaning on their way.
  if (!LOCAL_PART.test(text) || !LOCAL_PART.test(text.normalize('NFKC')) || Buffer.byteLength(text) > LONGEST_LOCAL_PART)
    throw refusal('what stands before the @ of an address is not possible there');
  return text;
}

function domainOf(pieces: readonly Piece[]): string {
  const text = textOf(pieces);
  if (LITERAL.test(text) && pieces.every((piece) => typeof piece === 'string')) return text;
  checkValues(pieces, DOMAIN, 'in the domain of an address');
  const ascii = DOMAIN.test(text) || /^[\w.-]+$/.test(text) ? domainToASCII(text) : '';
  if (!HOST_NAME.test(ascii) || ascii.length > LONGEST_DOMAIN) throw refusal('what stands behind the @ of an address is no domain');
  return ascii;
}

function checkValues(pieces: readonly Piece[], allowed: RegExp, where: string): void {
  for (const piece of pieces) {
    if (typeof piece === 'string') continue;
    if (piece.value === '') throw refusal(`a value ${where} is empty or missing`);
    if (!allowed.test(piece.value)) throw refusal(`a value ${where} holds something that is not possible there`);
  }
}

function textOf(pieces: readonly Piece[]): string {
  return pieces.map((piece) => (typeof piece === 'string' ? piece : piece.value)).join('');
}
