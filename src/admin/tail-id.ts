import { z } from 'zod';
import type { TailPlace } from '../status/tail-place';

const SNAPSHOT = z.string().regex(/^\d{1,19}:\d{1,19}:(\d{1,19}(,\d{1,19})*)?$/);
const XID = z.string().regex(/^\d{1,19}$/);

const ID = z.tuple([
  SNAPSHOT,
  SNAPSHOT.nullable(),
  z.tuple([XID, z.int().min(0).max(9), z.string().max(100)]).nullable(),
  XID.nullable(),
  z.string().max(60),
]);

/** A place as a reader carries it to its next request. */
export function placeId({ cursor: { previous, target, after }, seen, server }: TailPlace): string {
  const key = after === null ? null : [after.xid, after.source, after.place];
  return Buffer.from(JSON.stringify([previous, target, key, seen, server])).toString('base64url');
}

/** Null for what is none of ours. */
export function placeFrom(id: string): TailPlace | null {
  const found = ID.safeParse(parsed(id));
  if (!found.success) return null;
  const [previous, target, key, seen, server] = found.data;
  const after = key === null ? null : { xid: key[0], source: key[1], place: key[2] };
  return { cursor: { previous, target, after }, seen, server };
}

function parsed(id: string): unknown {
  try {
    return JSON.parse(Buffer.from(id, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}
