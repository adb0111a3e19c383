/**
 * What the commands of automation show and refuse, against a gateway that answers the same every time.
 * Relies on a real gateway over a fake peer; the commands run in this process, from their arguments on, to save time.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createOutput, type TextStream } from '../../src/cli/output.ts';
import { runProgram } from '../../src/cli/program.ts';
import { type AlthingError, toAlthingError } from '../../src/core/errors.ts';
import { startCommandGateway } from '../../src/testing/command-gateway.ts';
import { waitFor } from '../../src/testing/wait-for.ts';

const { lab, home, peer } = await startCommandGateway();

interface Said {
  readonly stdout: string;
  readonly stderr: string;
  readonly error: AlthingError | undefined;
}

/** A command as `main` runs it, with what it says. */
const said = async (...args: string[]): Promise<Said> => {
  const kept = { stdout: '', stderr: '' };
  const streamTo = (name: keyof typeof kept): TextStream => ({
    write: (text) => {
      kept[name] += text;
      return true;
    },
    on: () => undefined,
  });
  const out = createOutput(args.includes('--json'), streamTo('stdout'), streamTo('stderr'));
  try {
    await runProgram(args, async (spec, given, options) => {
      const { run } = await spec.load();
      await run({ args: given, options, home, out });
    });
  } catch (thrown) {
    const error = toAlthingError(thrown);
    out.failure(error);
    return { ...kept, error };
  }
  return { ...kept, error: undefined };
};

/** What people see of a command that succeeds. */
const shown = async (...args: string[]): Promise<string> => {
  const { stdout, stderr, error } = await said(...args);
  assert.equal(error, undefined, stderr);
  return stdout.trimEnd();
};

const file = async (name: string, text: string): Promise<string> => {
  const path = join(home, name);
  await writeFile(path, text);
  return path;
};

test('the rules are a table, and one of them is YAML', async () => {
  assert.match(
    await shown('rules'),
    /^RULE +NAME +STATE +MODE +WATCHED BY +RUNNING +LAST FIRED HERE +NOT KNOWN YET\nhall-light-on-motion +Hall light on motion +enabled +restart +attic +1 +2025-01-01T18:02:11.000Z +stairs-motion$/,
  );
  assert.equal(await shown('rules', 'show', 'hall-light-on-motion'), 'name: Hall light on motion');
  assert.equal((await said('rules', 'show', 'nothing')).error?.code, 'rule-unknown');
});

test('applying says what happened to each rule, with warnings at their lines', async () => {
  const path = await file('good.yaml', 'name: Hall light on motion\n');
  assert.equal(
    await shown('rules', 'apply', path),
    `created   Hall light on motion (hall-light-on-motion)\n  ${path}:4:7: warning: no Thing "stairs" yet`,
  );
  assert.deepEqual(peer.rules.asked.at(-1), { yaml: 'name: Hall light on motion\n' });
});

test('what is wrong with a file is said as file:line:column, and nothing is applied', async () => {
  const path = await file('bad.yaml', 'nonsense\n');
  const { stdout, stderr, error } = await said('rules', 'apply', path);
  assert.deepEqual([stdout, error?.code], ['', 'rule-invalid']);
  assert.match(stderr, /^althing: Nothing was applied\.$/m);
  assert.ok(stderr.includes(`\n${path}:3:5: it is wrong\n${path}:9:1: this too\n`), stderr);
  const asJson = await said('rules', 'apply', path, '--json');
  assert.match(asJson.stderr, /"problems":\[\{"line":3,"column":5/);
  assert.equal((await said('rules', 'apply', join(home, 'none.yaml'))).error?.code, 'bad-input');
});

test('a rule is switched, fired and removed by its name', async () => {
  peer.rules.asked.length = 0;
  const name = 'Hall light on motion';
  assert.match(await shown('rules', 'disable', name), /does not fire any more/);
  assert.match(await shown('rules', 'enable', name), /may fire again/);
  assert.match(await shown('rules', 'run', name, '--input', '{"a":1}'), /althing rules trace/);
  assert.match(await shown('rules', 'remove', name), /is removed/);
  assert.deepEqual(peer.rules.asked, [
    { rule: name, enabled: false },
    { rule: name, enabled: true },
    { fire: name, input: { a: 1 } },
    { remove: name },
  ]);
});

test('a dry run says what fired, what was seen and what would be done', async () => {
  const text = await shown('rules', 'test', 'hall-light-on-motion', '--trigger', '0', '--with', 'true');
  assert.match(text, /^If it fired now: motion of hall-motion became true \(was false\)$/m);
  assert.match(text, /if thing\("hall-lux"\).illuminance < 50 {2}is true: hall-lux.illuminance is 12$/m);
  assert.match(text, /write on = true to Hall lamp$/m);
  assert.match(text, /Nothing was commanded\.$/);
  assert.deepEqual(peer.rules.asked.at(-1), { test: 'hall-light-on-motion', trigger: '0', event: true });
});

test('a trace shows each firing, and which device could not be asked', async () => {
  const text = await shown('rules', 'trace', 'hall-light-on-motion', '--limit', '2');
  assert.match(text, /^2025-01-01T18:02:11.000Z {2}done$/m);
  assert.match(text, /fired at attic: motion of hall-motion became true/);
  assert.match(text, /18:02:11.000 {2}0 on = true on Lamp: done$/m);
  assert.match(text, /^hall could not be asked \(peer-offline\)/m);
  assert.deepEqual(peer.rules.asked.at(-1), { trace: 'hall-light-on-motion', limit: 2 });
  const wrong = await said('rules', 'trace', 'hall-light-on-motion', '--limit', 'all');
  assert.equal(wrong.error?.code, 'bad-option');
});

test('why is a text to read', async () => {
  assert.equal(await shown('why', 'lamp'), 'Lamp was switched on.\nIt was dark.');
});

test('activity shows what is kept, and with --follow what happens', async () => {
  assert.match(
    await shown('activity', '--limit', '2'),
    /^2025-01-01T18:02:11.000Z +obeyed +rule hall-light-on-motion {2}Lamp {2}write on {2}for attic {2}ok\n.* rule-ended/,
  );
  const child = lab.spawnCommand(home, ['activity', '--follow', '--json']);
  await waitFor(() => peer.openListeners > 0, { what: 'the command to listen', timeoutMs: 20_000 });
  peer.act({ time: '2025-01-01T00:00:00.000Z', kind: 'rule-fired', rule: 'x', firing: 'manual/x/1' });
  await waitFor(() => child.lines.length === 1, { what: 'the line to come', timeoutMs: 20_000 });
  assert.equal((JSON.parse(child.lines[0]!) as { kind: string }).kind, 'rule-fired');
  child.kill('SIGINT');
  await child.ended(20_000);
  assert.equal(child.exitCode, 0, child.stderr);
});

test('scenes are kept, listed, applied and removed', async () => {
  assert.match(await shown('scene', 'list'), /^SCENE +NAME +THINGS +VALUES\nevening +Evening +1 +1$/);
  assert.equal(await shown('scene'), await shown('scene', 'list'));
  assert.match(await shown('scene', 'save', 'Night', 'lamp', '--room', 'hall'), /Lamp: on = true/);
  assert.deepEqual(peer.rules.asked.at(-1), { scene: 'Night', room: 'hall', things: ['lamp'] });
  assert.match(
    await shown('scene', 'apply', 'evening'),
    /^1 of 2 values .*\n {2}Lamp: level is not \(peer-offline\)/,
  );
  assert.match(await shown('scene', 'remove', 'evening'), /is removed/);
});

test('the place is shown, and changed by what is given of it', async () => {
  assert.equal(await shown('place'), 'Europe/Berlin, latitude 52.5, longitude 13.4');
  assert.match(
    await shown('place', '--zone', 'Australia/Sydney', '--latitude', '-33.9'),
    /^Australia\/Sydney, latitude -33.9, longitude 13.4$/,
  );
  assert.equal((await said('place', '--latitude', 'north')).error?.code, 'bad-option');
});
