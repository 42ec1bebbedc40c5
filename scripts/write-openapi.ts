// npm run openapi: writes openapi.yaml from the schemas of the routes.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeApi } from './describe-api.ts';

writeFileSync(join(import.meta.dirname, '../openapi.yaml'), await describeApi());
