/** In the place of an observer: the change itself belongs into quarantine, and is not there. */
export const QUARANTINE = '(quarantine)';
