import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { messageOf } from '../event/errors';
import { SECRETS } from '../event/secrets';

/** What is needed of a Google service account's key file. */
export interface FcmCredentials {
  readonly projectId: string;
  readonly clientEmail: string;
  /** PEM. */
  readonly privateKey: string;
  readonly tokenUri: string;
}

/** @returns the credentials, or what is wrong with the file; never what stands in it */
export function readFcmCredentials(path: string): FcmCredentials | { readonly problem: string } {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    return { problem: error instanceof SyntaxError ? `${path} is not JSON` : `${path} cannot be read: ${messageOf(error)}` };
  }
  const { project_id, client_email, private_key, token_uri } = (content ?? {}) as Record<string, unknown>;
  const fields = { project_id, client_email, private_key, token_uri };
  const missing = Object.entries(fields).filter(([, value]) => typeof value !== 'string' || value === '').map(([name]) => name); // prettier-ignore
  if (missing.length > 0) return { problem: `${path} is not the key file of a service account: ${missing.join(', ')} missing` };
  try {
    createPrivateKey(String(private_key));
  } catch {
    return { problem: `the private_key in ${path} is not a key` };
  }
  SECRETS.remember(String(private_key), '${OBSERVERS_FCM_CREDENTIALS}');
  return { projectId: String(project_id), clientEmail: String(client_email), privateKey: String(private_key), tokenUri: String(token_uri) };
}
