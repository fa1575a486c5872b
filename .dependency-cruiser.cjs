// Imports go one way: each folder may use those before it in this list, never those behind it.
const ORDER = [
  ['event'],
  ['matching', 'resilience'],
  ['config'],
  ['database'],
  ['checkpoint', 'delivery', 'ha'],
  ['actions'],
  ['lookups', 'tracing'],
  ['pipeline'],
  ['logging'],
  ['listener', 'jobs'],
  ['explain'],
  ['audit', 'metrics', 'doctor', 'dry-run'],
  ['admin', 'cli', 'demo'],
];

const rules = ORDER.flatMap((folders, level) => {
  const later = ORDER.slice(level + 1).flat();
  return later.length === 0
    ? []
    : [
        {
          name: `${folders.join('-and-')}-before-the-rest`,
          severity: 'error',
          from: { path: `^src/(${folders.join('|')})/` },
          to: { path: `^src/(${later.join('|')}|app\\.module|lifecycle|main)` },
        },
      ];
});

module.exports = {
  forbidden: [
    ...rules,
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, pathNot: '^src/(main|index|version)\\.ts$' }, to: {} },
    { name: 'no-dev-dependencies', severity: 'error', from: { path: '^src/' }, to: { dependencyTypes: ['npm-dev'] } },
    { name: 'no-undeclared', severity: 'error', from: { path: '^src/' }, to: { dependencyTypes: ['npm-no-pkg', 'unknown'] } },
    { name: 'nobody-imports-commands', severity: 'error', from: { pathNot: '^src/(cli|main|demo)' }, to: { path: '^src/cli/' } },
  ],
  options: {
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['require', 'node', 'default', 'types'] },
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
