import { isSetByAuth } from '../../event/endpoint-auth';
import type { EndpointAuth, EndpointTls } from '../../event/definitions';
import { hasTags, literalsOf } from '../../matching/template/template';
import { hasFragment, oneLineProblem, urlProblem } from '../checks';
import type { FileProblems, Path } from '../file-problems';
import { isThisMachine } from '../hosts';
import type { EndpointShape } from '../schema/observers-file';
import { linkTls } from './tls';

type AuthShape = NonNullable<EndpointShape['auth']>;
type OAuth2Shape = Extract<AuthShape, { readonly type: 'oauth2' }>;
type AwsShape = Extract<AuthShape, { readonly type: 'aws_sigv4' }>;

/** What an endpoint's `auth` stands beside. */
export interface AuthPlace {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: EndpointTls | null;
  /** Of the endpoint. */
  readonly path: Path;
}

export function linkAuth(problems: FileProblems, shape: AuthShape | undefined, place: AuthPlace): EndpointAuth | null {
  if (shape === undefined) return null;
  const path = [...place.path, 'auth'];
  for (const [key, text] of Object.entries(shape)) if (typeof text === 'string') problems.check([...path, key], valueProblem(text));
  const auth = shape.type === 'oauth2' ? oauth2Of(problems, shape, place, path) : awsOf(problems, shape, place, path);
  checkAuthHeaders(problems, auth, place.headers, [...place.path, 'headers']);
  return auth;
}

/** A header and `auth` that set the same would contradict each other. */
export function checkAuthHeaders(
  problems: FileProblems,
  auth: EndpointAuth | null,
  headers: Readonly<Record<string, string>>,
  path: Path,
): void {
  if (auth === null) return;
  for (const name of Object.keys(headers))
    if (isSetByAuth(auth.type, name)) problems.add([...path, name], `auth (${auth.type}) sets the header ${name}: take out one of the two`);
}

function oauth2Of(problems: FileProblems, shape: OAuth2Shape, { url, tls }: AuthPlace, path: Path): EndpointAuth {
  const { token_url: tokenUrl, scope = null, audience = null, client_auth: clientAuth = 'basic' } = shape;
  const problem = tokenUrlProblem(tokenUrl);
  problems.check([...path, 'token_url'], problem);
  for (const key of ['client_id', 'scope', 'audience'] as const) if (hasTags(shape[key] ?? '')) problems.add([...path, key], NO_TEMPLATE);
  const ownTls = problem === null ? linkTls(problems, shape.tls, tokenUrl, [...path, 'tls']) : null;
  if (isClear(url)) problems.warnings.push(problems.source.problem(path, IN_CLEAR));
  return {
    type: 'oauth2',
    tokenUrl,
    clientId: shape.client_id,
    clientSecret: shape.client_secret,
    scope,
    audience,
    clientAuth,
    tls: shape.tls === undefined ? tls : ownTls,
  };
}

const NO_TEMPLATE = 'auth may not hold a template: who the service is is decided by the file, not by data';
const IN_CLEAR = 'the access token goes in clear to this http:// url: whoever reads it on the way can use it';

function tokenUrlProblem(url: string): string | null {
  const problem = urlProblem(url);
  if (problem !== null) return problem.replace('give an authorization header', 'give client_id and client_secret');
  if (hasTags(url)) return NO_TEMPLATE;
  if (hasFragment(url)) return 'a token_url has no #';
  return isClear(url) ? 'the client secret would go in clear: a token_url begins with https:// (http:// on this machine alone)' : null;
}

/** Whether what goes there can be read on the way. */
function isClear(url: string): boolean {
  const origin = /^http:\/\/[^/?#{]+/i.exec(url)?.[0] ?? '';
  return URL.canParse(origin) && !isThisMachine(new URL(origin).hostname);
}

/** What stands in a credential's scope, with slashes between. */
const WORD = /^[A-Za-z0-9._-]+$/;

function awsOf(problems: FileProblems, shape: AwsShape, { url }: AuthPlace, path: Path): EndpointAuth {
  for (const key of ['region', 'service'] as const)
    if (!WORD.test(shape[key]))
      problems.add([...path, key], `expected a word such as ${key === 'region' ? 'eu-central-1' : 'execute-api'}`);
  if (/[\s/,=]/.test(shape.access_key_id)) problems.add([...path, 'access_key_id'], 'an access key id holds no blank, slash, comma or =');
  const [, query = ''] = /\?([^#]*)/.exec(literalsOf(url, 'x')) ?? [];
  if (query.includes('+'))
    problems.add(path, 'with aws_sigv4 a + in the query of the url means two things: write %20 for a blank, or %2B for the sign');
  return {
    type: 'aws_sigv4',
    region: shape.region,
    service: shape.service,
    accessKeyId: shape.access_key_id,
    secretAccessKey: shape.secret_access_key,
    sessionToken: shape.session_token ?? null,
  };
}

/** Secrets may hold any character, but a line break at the end is of the file that they came out of. */
function valueProblem(text: string): string | null {
  if (text !== text.trim()) return 'it begins or ends with a blank or a line break: take that out, also where the value comes from';
  return oneLineProblem(text, 'a value of auth');
}
