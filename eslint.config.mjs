import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

// Few rules, each of which has caught a defect: promises that float, cases that are forgotten, files that hide two things.
const NOT_ASCII = '/[^\\x00-\\x7F]/';
const ASCII_SQL =
  'SQL that reaches the server is ASCII, its comments too: a database that is not UTF-8 refuses other characters. Pass texts as parameters.';
const asciiWithin = (place) =>
  [`Literal[value=${NOT_ASCII}]`, `TemplateElement[value.raw=${NOT_ASCII}]`].map((text) => ({
    selector: `${place}${text}`,
    message: ASCII_SQL,
  }));
const REPLACEMENT = {
  // A name called $& is a name: only functions and texts that stand there are no pattern.
  selector:
    'CallExpression[callee.property.name=/^replace(All)?$/] > :not(Literal, ArrowFunctionExpression, FunctionExpression, TemplateLiteral[expressions.length=0]).arguments:nth-child(2)',
  message: 'In a replacement $&, $1 and $$ mean something else: give a function, () => text.',
};

export default tseslint.config(
  { ignores: ['dist/', 'types/', 'examples/', 'node_modules/', '.observers/', 'coverage/', '**/*.cjs', '*.mjs', '*.js'] },
  eslint.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/require-await': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false }],
      '@typescript-eslint/only-throw-error': 'error',
      // Exhaustive switches over unions need no default, and end the function.
      'no-fallthrough': 'error',
      'no-console': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'max-lines': ['error', 300],
      'max-lines-per-function': ['error', 60],
      'no-restricted-syntax': ['error', REPLACEMENT, ...asciiWithin("CallExpression[callee.property.name='query'] ")],
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Settings are read in src/config; commands pass process.env to it.' },
      ],
    },
  },
  {
    files: ['migrations/**/*.ts', 'src/**/*.sql.ts', 'src/**/*-sql.ts'],
    rules: { 'no-restricted-syntax': ['error', REPLACEMENT, ...asciiWithin('')] },
  },
  {
    // The only places that hand the environment on.
    files: ['src/cli/*.ts', 'src/demo/demo.ts', 'src/lifecycle/*.ts', 'src/database/embedded/embedded-postgres.ts'],
    rules: { 'no-restricted-properties': 'off' },
  },
  {
    // Nest reads the types of constructor parameters at run time: they must be imported as values.
    files: [
      'src/admin/*.ts',
      'src/admin/api/*.controller.ts',
      'src/metrics/metrics.*.ts',
      'src/app.module.ts',
      'src/*/*.{module,service}.ts',
    ],
    rules: { '@typescript-eslint/consistent-type-imports': 'off' },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      '@typescript-eslint/explicit-module-boundary-types': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      'no-console': 'off',
    },
  },
);
