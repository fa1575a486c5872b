/** For startEmbeddedPostgres: the version that `npm run test:postgres -- 14` names, or else ours. */
export function testedPostgres(): { readonly package?: string } {
  const version = process.env['TEST_POSTGRES_VERSION'];
  return version === undefined || version === '18' ? {} : { package: `postgres-${version}` };
}
