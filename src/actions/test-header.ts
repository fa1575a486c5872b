/** Marks what a person sends as a test (`test-event --send`), wherever it can be marked. */
export const TEST_HEADER = ['observers-test', 'true'] as const;
