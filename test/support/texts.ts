// What jest gives for a text that holds another, as the text that it stands for.

export const containing = (part: string): string => expect.stringContaining(part) as string;
export const matching = (pattern: RegExp | string): string => expect.stringMatching(pattern) as string;
