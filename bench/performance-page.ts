/**
 * Writes what a bench has measured into its own section of `docs/performance.md`, and leaves the others alone.
 * Relies on a pair of comments around each section.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const page = fileURLToPath(new URL('../docs/performance.md', import.meta.url));
const head = `# Performance

What \`npm run bench\` measured, on the machine that each section names. Anyone can run it; each script replaces its own
section. Numbers of one machine compare with those of the same machine only.
`;

/** Puts `text` (Markdown) into the section of this name, made at the end where there is none. */
export const writeSection = (name: string, text: string): void => {
  const [begin, end] = [`<!-- bench: ${name} -->`, `<!-- end: ${name} -->`];
  const before = existsSync(page) ? readFileSync(page, 'utf8') : head;
  const section = `${begin}\n\n${text.trim()}\n\n${end}`;
  const from = before.indexOf(begin);
  const to = before.indexOf(end);
  const after =
    from < 0 || to < from
      ? `${before.trimEnd()}\n\n${section}\n`
      : before.slice(0, from) + section + before.slice(to + end.length);
  writeFileSync(page, after);
};

/** The machine as a sentence. */
export const machine = (): string => {
  const [first] = cpus();
  return `Node ${process.versions.node}, ${cpus().length} × ${first?.model.trim() ?? 'an unknown CPU'}.`;
};
