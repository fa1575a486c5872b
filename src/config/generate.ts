import { readFileSync, writeFileSync } from 'node:fs';
import { chartSchema, errorsPage } from './generated';
import { jsonSchema } from './schema/observers-file';
import { envExample } from './settings/resolve';

/** `npm run schema`: writes what is made from the tables into the package's folder. A test checks that it is current. */
writeFileSync('observers.schema.json', jsonSchema());
writeFileSync('.env.example', envExample());
writeFileSync('docs/errors.md', errorsPage());

const CHART_SCHEMA = 'helm/values.schema.json';
writeFileSync(CHART_SCHEMA, chartSchema(readFileSync(CHART_SCHEMA, 'utf8')));
