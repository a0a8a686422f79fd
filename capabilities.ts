/** The capability profiles as they lie in `scenarios/capabilities.yaml`: read once, at the first use. Not for workflows. */
import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { capabilitiesSchema, type Capabilities } from './domain/capabilities.ts';

const FILE = new URL('./scenarios/capabilities.yaml', import.meta.url);

let read: Capabilities | undefined;

/** Throws where the file is not what its schema says: it belongs to the product, and a test reads it. */
export function capabilities(): Capabilities {
  read ??= capabilitiesSchema.parse(
    parseDocument(readFileSync(FILE, 'utf8'), { schema: 'core' }).toJS({ maxAliasCount: 0 }),
  );
  return read;
}
