import type { EndpointAuth } from './endpoint-definition';

type Header = readonly [name: string, value: string];

/** The headers that it sets, as they may be shown: what they will hold is made when the request is sent. */
export function shownAuth(auth: EndpointAuth | null): readonly Header[] {
  if (auth === null) return [];
  if (auth.type === 'oauth2') return [['authorization', `Bearer (a token of ${withoutQuery(auth.tokenUrl)}, fetched when sent)`]];
  const { region, service, sessionToken } = auth;
  return [
    ['x-amz-date', '(when sent)'],
    ['x-amz-content-sha256', '(of the body, when sent)'],
    ...(sessionToken === null ? [] : [['x-amz-security-token', '(of the endpoint)'] as const]),
    ['authorization', `AWS4-HMAC-SHA256 (signed when sent, for ${service} in ${region})`],
  ];
}

const SET_BY: Readonly<Record<EndpointAuth['type'], ReadonlySet<string>>> = {
  oauth2: new Set(['authorization']),
  aws_sigv4: new Set(['authorization', 'x-amz-date', 'x-amz-content-sha256', 'x-amz-security-token', 'date']),
};

/** Whether a header of that name would contradict the one that `auth` sets. */
export function isSetByAuth(auth: EndpointAuth['type'], header: string): boolean {
  return SET_BY[auth].has(header.toLowerCase());
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '');
}
