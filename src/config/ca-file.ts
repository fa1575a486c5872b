import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { messageOf } from '../event/errors';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/g;

/** @returns the file's text, or what is wrong with it */
export function readAuthorities(path: string): { readonly pem: string } | { readonly problem: string } {
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (error) {
    return { problem: `the file cannot be read: ${String((error as { code?: string }).code ?? messageOf(error))}` };
  }
  const certificates = certificatesIn(pem);
  return typeof certificates === 'string' ? { problem: certificates } : { pem };
}

/** @returns the certificates in their order, or what is wrong */
export function certificatesIn(text: string): X509Certificate[] | string {
  const blocks = text.match(CERTIFICATE) ?? [];
  if (blocks.length === 0) return 'the file holds no certificate in PEM (-----BEGIN CERTIFICATE-----)';
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (error) {
    return `a certificate in the file cannot be read: ${messageOf(error)}`;
  }
}
