/**
 * Which version of Althing this is.
 * Relies on the package file, which lies two folders above in the sources as in `dist/`.
 */
import { readFileSync } from 'node:fs';

const packageFile: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** The package's version, as npm knows it. */
export const version: string = (packageFile as { version: string }).version;
