import { lookup as dnsLookup, type LookupAddress, type LookupAllOptions } from 'node:dns';
import { isIP } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { buildConnector } from 'undici';
import type { AddressPolicy } from '../../config/address-policy';

export { AddressPolicy, BlockedAddressError } from '../../config/address-policy';

/** What `dns.lookup` does when all addresses are asked for. */
export type NameLookup = (
  host: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface ConnectorOptions {
  /** Until a connection stands, TLS included; milliseconds. */
  readonly timeout: number;
  readonly tls?: SecureContextOptions;
}

/**
 * A connector for undici that dials only what the policy allows. The address that is checked is the one that is dialled: literals
 * before connecting, names in the look-up that the socket itself uses, and the peer once more when it stands. So there is no time
 * between check and use for a name to change its address.
 */
export function guardedConnector(
  policy: AddressPolicy,
  { timeout, tls = {} }: ConnectorOptions,
  resolve: NameLookup = dnsLookup,
): buildConnector.connector {
  const lookup = (host: string, options: object, callback: (error: Error | null, addresses: LookupAddress[]) => void): void => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      const allowed = addresses.filter(({ address }) => policy.allows(address, host));
      if (allowed.length > 0) return callback(null, allowed);
      const [first] = addresses;
      callback(first === undefined ? connectionError('ENOTFOUND', `${host} has no address`) : policy.refusal(first.address, host), []);
    });
  };
  const connect = buildConnector({ ...tls, timeout, autoSelectFamily: true, lookup: lookup });
  return (options, callback) => {
    const host = options.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) && !policy.allows(host, host)) return callback(policy.refusal(host, host), null);
    connect(options, (...result) => {
      const [error, socket] = result;
      if (error) return callback(error, null);
      // In TLS 1.3 a receiver refuses a client after its handshake, by an alert. undici would forget it over the end that follows.
      socket.once('error', () => socket.destroy());
      const peer = socket.remoteAddress;
      if (peer !== undefined && policy.allows(peer, host)) return callback(null, socket);
      socket.destroy();
      // Reset as soon as it stood: there is no peer any more, and nothing to be said about its address.
      callback(peer === undefined ? connectionError('ECONNRESET', 'the connection was closed at once') : policy.refusal(peer, host), null);
    });
  };
}

function connectionError(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code });
}
