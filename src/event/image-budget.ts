import { getHeapStatistics } from 'node:v8';

const MIB = 1024 ** 2;

/**
 * Bytes of row images that deliveries in memory may hold. An eighth of the heap: an image is there as text, perhaps parsed, and as part of a
 * request body. A single event that is larger comes all the same, alone: OBSERVERS_MAX_EVENT_SIZE bounds it.
 */
export const IMAGE_BUDGET = Math.min(getHeapStatistics().heap_size_limit / 8, 256 * MIB);

/** Bytes of images that the stream reads at once. */
export const PAGE_BYTES = Math.min(IMAGE_BUDGET / 2, 32 * MIB);

/** Bytes of images that anybody else reads at once: the audit, a replay, a person's question. */
export const SIDE_PAGE_BYTES = Math.min(IMAGE_BUDGET / 8, 16 * MIB);
