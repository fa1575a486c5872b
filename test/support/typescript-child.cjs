// Runs a TypeScript module in a process of its own, with an environment of its own (jest's is a copy, so that TZ does not reach the clock).
// Prints what the module's function makes of the JSON on its standard input: node typescript-child.cjs MODULE FUNCTION
const { readFileSync } = require('node:fs');
const { transformSync } = require('@swc/core');

require.extensions['.ts'] = (module, filename) => {
  module._compile(transformSync(readFileSync(filename, 'utf8'), { filename }).code, filename);
};
const [, , file, name] = process.argv;
process.stdout.write(JSON.stringify(require(file)[name](JSON.parse(readFileSync(0, 'utf8')))));
