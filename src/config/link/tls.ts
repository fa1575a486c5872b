import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { EndpointTls } from '../../event/definitions';
import { messageOf } from '../../event/errors';
import { certificatesIn } from '../ca-file';
import type { FileProblems, Path } from '../file-problems';
import type { EndpointShape } from '../schema/observers-file';

type TlsShape = NonNullable<EndpointShape['tls']>;

/** Reads the files and sees that they are what they should be: a wrong one is found when the service starts, not with the first delivery. */
export function linkTls(problems: FileProblems, shape: TlsShape | undefined, url: string, path: Path): EndpointTls | null {
  if (shape === undefined) return null;
  const { ca_file: caFile, cert_file: certFile, key_file: keyFile } = shape;
  const before = problems.found.length;
  if (/^http:/i.test(url)) problems.add(path, 'tls is for an https:// url');
  if (caFile === undefined && certFile === undefined && keyFile === undefined)
    problems.add(path, 'give ca_file, or cert_file and key_file, or all three');
  else if ((certFile === undefined) !== (keyFile === undefined))
    problems.add(path, `${certFile === undefined ? 'key_file needs cert_file' : 'cert_file needs key_file'}: they belong together`);
  const ca = read(problems, caFile, [...path, 'ca_file'], certificatesIn);
  const certificates = read(problems, certFile, [...path, 'cert_file'], certificatesIn);
  const key = read(problems, keyFile, [...path, 'key_file'], keyIn);
  const [own] = certificates?.value ?? [];
  if (own !== undefined && key !== null && !own.checkPrivateKey(key.value))
    problems.add([...path, 'key_file'], 'this key does not belong to the certificate in cert_file, whose first one is the client’s own');
  const tls = { ca: ca?.text ?? null, cert: certificates?.text ?? null, key: key?.text ?? null };
  // What OpenSSL has against them beyond that: a key that is too short for its security level.
  if (problems.found.length === before) problems.check(path, refusalOf(tls));
  return tls;
}

function read<T>(
  problems: FileProblems,
  file: string | undefined,
  path: Path,
  parse: (text: string) => T | string,
): { readonly text: string; readonly value: T } | null {
  if (file === undefined) return null;
  let text: string;
  try {
    text = readFileSync(resolve(dirname(problems.source.file), file), 'utf8');
  } catch (error) {
    const reason = String((error as { code?: string }).code ?? messageOf(error));
    problems.add(path, `the file cannot be read: ${reason}; its path is relative to the observers file`);
    return null;
  }
  const value = parse(text);
  if (typeof value !== 'string') return { text, value };
  problems.add(path, value);
  return null;
}

/** @returns the key, or what is wrong */
function keyIn(text: string): KeyObject | string {
  if (/ENCRYPTED/.test(text))
    return 'the key is protected by a passphrase; take it off (openssl pkey -in … -out …) and protect the file itself';
  try {
    return createPrivateKey(text);
  } catch {
    return 'the file holds no private key in PEM (-----BEGIN PRIVATE KEY-----)';
  }
}

function refusalOf({ ca, cert, key }: EndpointTls): string | null {
  try {
    createSecureContext({ ca: ca ?? undefined, cert: cert ?? undefined, key: key ?? undefined });
    return null;
  } catch (error) {
    return `these files cannot be used: ${messageOf(error)}`;
  }
}
