// Imports go one way: a folder may use those of the levels before its own, and none of its own level. See docs/adr/0028.
const LEVELS = [
  ['event'],
  ['matching', 'resilience', 'database', 'checkpoint'],
  ['config', 'delivery', 'change-log', 'status'],
  ['connections', 'redrive', 'backfill', 'explain', 'doctor'],
  ['dedup', 'cache', 'jobs', 'alerts', 'tracing'],
  ['lookups', 'actions'],
  ['pipeline', 'dry-run'],
  ['listener', 'worker', 'audit', 'retention', 'search', 'logging'],
  ['ha'],
  // A reset leads the stream for the moment: it stands above the lease, and not in `checkpoint`.
  ['metrics', 'reload', 'reset'],
  ['admin'],
  ['app.module'],
  ['lifecycle'],
  ['demo'],
  ['cli'],
  ['main'],
];

const within = (names) => `^src/(${names.map((name) => name.replaceAll('.', '\\.')).join('|')})(/|\\.ts$)`;

const rules = LEVELS.flatMap((names, level) =>
  names.map((name) => ({
    name: `${name}-uses-what-comes-before`,
    severity: 'error',
    from: { path: within([name]) },
    to: { path: within([...LEVELS.slice(level).flat(), 'public'].filter((other) => other !== name)) },
  })),
);

module.exports = {
  forbidden: [
    ...rules,
    {
      name: 'public-uses-the-language-of-actions',
      severity: 'error',
      from: { path: within(['public']) },
      to: { path: '^src/', pathNot: within(['public', 'actions', 'event', 'matching', 'lifecycle']) },
    },
    {
      name: 'admin-and-cli-ask-services',
      comment: 'SQL stands in the folder that it is about; its service gives admin and cli the same answer, types included.',
      severity: 'error',
      from: { path: '^src/(admin|cli)/' },
      to: { path: '\\.sql\\.ts$' },
    },
    { name: 'every-folder-has-a-level', severity: 'error', from: { path: '^src/', pathNot: within([...LEVELS.flat(), 'public']) }, to: {} },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, pathNot: '^src/(main|public/.*)\\.ts$' }, to: {} },
    // Types alone are gone when it runs.
    {
      name: 'no-dev-dependencies',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    { name: 'no-undeclared', severity: 'error', from: { path: '^src/' }, to: { dependencyTypes: ['npm-no-pkg', 'unknown'] } },
  ],
  options: {
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['require', 'node', 'default', 'types'] },
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
