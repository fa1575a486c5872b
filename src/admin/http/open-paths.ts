/** Probes and metrics: open to all, and their answers are their own. */
export function isProbe(path: string): boolean {
  return /^\/(health|metrics)(\/|$)/i.test(path);
}

/** The documentation holds nothing of this installation, and a browser could not send a token for it. */
export function isDocumentation(path: string): boolean {
  return /^\/docs(-json)?(\/|$)/i.test(path);
}
