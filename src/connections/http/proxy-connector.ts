import { request } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { buildConnector } from 'undici';
import { messageOf } from '../../event/errors';
import type { AddressPolicy, ConnectorOptions } from './outbound-guard';

/** The way to the receiver is broken before the receiver: at the proxy. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
  constructor(
    message: string,
    /** What the proxy answered; null when it did not. */
    readonly status: number | null,
  ) {
    super(message);
  }
}

/**
 * A connector for undici that asks a proxy for a tunnel (CONNECT), to https and http receivers alike: what then comes through it is the
 * receiver's own answer, and never the proxy's.
 *
 * The proxy is dialled because the operator names it, whatever its address. A receiver that is written as an address is checked as
 * without a proxy; a name is looked up by the proxy, where we cannot see its address.
 *
 * @param proxy http://user:password@host:port
 * @param closing ends tunnels that are being made
 */
export function proxyConnector(
  proxy: string,
  policy: AddressPolicy,
  { timeout, tls = {} }: ConnectorOptions,
  closing: AbortSignal,
): buildConnector.connector {
  const tunnelTo = tunneler(proxy, timeout, closing);
  const speakTls = buildConnector({ ...tls, timeout });
  return (options, callback) => {
    const host = options.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) && !policy.allows(host, host)) return callback(policy.refusal(host, host), null);
    const secure = options.protocol === 'https:';
    tunnelTo(`${isIP(host) === 6 ? `[${host}]` : host}:${options.port || (secure ? 443 : 80)}`).then(
      (socket) => {
        if (!secure) return callback(null, socket);
        return speakTls({ ...options, httpSocket: socket }, (...result) => {
          // See guardedConnector: an alert would be forgotten over the end that follows.
          result[1]?.once('error', () => result[1]?.destroy());
          callback(...result);
        });
      },
      (error: Error) => callback(error, null),
    );
  };
}

function tunneler(proxy: string, timeout: number, signal: AbortSignal): (target: string) => Promise<Socket> {
  const { hostname, host, port, username, password } = new URL(proxy);
  const credentials = username + password === '' ? null : Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  const authorization = credentials === null ? {} : { 'proxy-authorization': `Basic ${credentials.toString('base64')}` };
  const dial = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80), method: 'CONNECT', agent: false, signal } as const;
  return (target) =>
    new Promise((resolve, reject) => {
      const asked = request({ ...dial, path: target, headers: { host: target, ...authorization } });
      const timer = setTimeout(() => asked.destroy(new Error(`no answer to CONNECT within ${timeout} ms`)), timeout);
      // Whatever the status is: to CONNECT, node:http takes every answer for one.
      asked.once('connect', (response, socket: Socket, head) => {
        clearTimeout(timer);
        const status = response.statusCode ?? 0;
        if (status < 200 || status > 299) {
          socket.destroy();
          return reject(new ProxyError(describeRefusal(host, target, status, credentials !== null), status));
        }
        socket.on('error', () => socket.destroy());
        if (head.length > 0) socket.unshift(head);
        return resolve(socket);
      });
      asked.once('error', (error) => {
        clearTimeout(timer);
        reject(signal.aborted ? (signal.reason as Error) : new ProxyError(`the proxy ${host} made no tunnel: ${messageOf(error)}`, null));
      });
      asked.end();
    });
}

function describeRefusal(proxy: string, target: string, status: number, authorized: boolean): string {
  if (status === 407)
    return authorized
      ? `the proxy ${proxy} does not accept the user and password in the endpoint's proxy (407)`
      : `the proxy ${proxy} asks for a user and a password (407); give them in the endpoint's proxy: http://user:password@${proxy}`;
  if (status === 403 || status === 405) return `the proxy ${proxy} does not allow a connection to ${target} (${status})`;
  return `the proxy ${proxy} could not connect to ${target} (${status})`;
}
