import { messageOf } from '../../event/errors';

const TLS_CODE = /^(ERR_TLS|ERR_SSL|CERT_|CRL_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_OSSL|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)|EPROTO)/;

/** Whether Node's or OpenSSL's code speaks of TLS: who the receiver is was not proved, and a second look will not prove it. */
export function isTlsFailure(code: string): boolean {
  return TLS_CODE.test(code);
}

const UNKNOWN_TO_MACHINE =
  "the receiver's certificate comes from no authority that this machine trusts; if it is meant, start the service with NODE_EXTRA_CA_CERTS=<file with the authority's certificate>";

/**
 * What is wrong and what to do about it, and then the library's own words.
 *
 * @param unknownAuthority what to say when the receiver's authority is not known
 */
export function tlsMessage(error: Error, unknownAuthority = UNKNOWN_TO_MACHINE): string {
  // What OpenSSL says stands between its source files and lines in the message, and alone in `reason`.
  const { code = '', reason = messageOf(error) } = error as { code?: string; reason?: string };
  if (UNKNOWN_AUTHORITY.test(code)) return `${unknownAuthority} (${reason})`;
  const explanation = EXPLANATIONS.find(([pattern]) => pattern.test(code))?.[1] ?? 'a TLS connection could not be made';
  return `${explanation} (${reason})`;
}

const UNKNOWN_AUTHORITY = /^(DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|CERT_UNTRUSTED|INVALID_CA)/;

const EXPLANATIONS: readonly (readonly [code: RegExp, explanation: string])[] = [
  [/^CERT_HAS_EXPIRED/, "the receiver's certificate has expired; it must be renewed there"],
  [/^CERT_NOT_YET_VALID/, "the receiver's certificate is not valid yet; check the clocks of both machines"],
  [
    /^(ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)/,
    "the receiver's certificate is for another name; correct the host in the endpoint's url, or the certificate",
  ],
  [/WRONG_VERSION_NUMBER|PACKET_LENGTH/, 'the receiver does not speak TLS on this port; correct the port, or write http:// in the url'],
  // An alert is what the receiver says of us.
  [
    /ALERT_(CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|NO_CERTIFICATE)/,
    'the receiver wants a client certificate, or offers nothing that both sides can speak; give tls: { cert_file: …, key_file: … } on the endpoint',
  ],
  [
    /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_\w+|ACCESS_DENIED|DECRYPT_ERROR)/,
    "the receiver does not accept the client certificate; renew the endpoint's cert_file, or have the receiver trust its authority",
  ],
  [/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/, 'the receiver offers no version of TLS that is safe; it must offer 1.2 or later'],
];
