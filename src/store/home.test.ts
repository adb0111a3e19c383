import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Logger, silentLogger } from '../core/logger.ts';
import { defaultHomeDir, homePaths, openHome } from './home.ts';

const tempDir = async (t: TestContext): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'althing-home-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
};

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

test('the default home follows ALTHING_HOME, then XDG_STATE_HOME, then HOME', () => {
  const env = { ALTHING_HOME: '/a', XDG_STATE_HOME: '/x', HOME: '/h' };
  assert.equal(defaultHomeDir(env), '/a');
  assert.equal(defaultHomeDir({ ...env, ALTHING_HOME: undefined }), '/x/althing');
  assert.equal(defaultHomeDir({ HOME: '/h' }), '/h/.local/state/althing');
  assert.equal(defaultHomeDir({ HOME: '/h', XDG_STATE_HOME: 'relative' }), '/h/.local/state/althing');
  assert.equal(defaultHomeDir({}), join(homedir(), '.local/state/althing'));
});

test('the first run makes the home, closed to others, the next finds it', async (t) => {
  const dir = join(await tempDir(t), 'deep', 'home');
  const home = await openHome(dir);
  assert.equal(await modeOf(dir), 0o700);
  assert.equal(await modeOf(home.blobs), 0o700);
  assert.equal(home.identityKey, join(dir, 'identity.key'));
  assert.deepEqual(await openHome(dir), home);
});

test('a home open to others is closed, with a warning', async (t) => {
  const dir = await tempDir(t);
  await chmod(dir, 0o755);
  const warnings: object[] = [];
  const logger: Logger = { ...silentLogger, warn: (facts) => warnings.push(facts) };
  await openHome(dir, { logger });
  assert.equal(await modeOf(dir), 0o700);
  assert.deepEqual(warnings, [{ dir, mode: '755' }]);
  await openHome(dir, { logger });
  assert.equal(warnings.length, 1);
});

test('a home that is a file, or below one, is refused in words', async (t) => {
  const file = join(await tempDir(t), 'file');
  await writeFile(file, 'x');
  await assert.rejects(openHome(file), { code: 'bad-option', message: /is a file/ });
  await assert.rejects(openHome(join(file, 'home')), { code: 'bad-option' });
});

test('a home that cannot be written is home-read-only', async (t) => {
  const dir = await tempDir(t);
  await mkdir(join(dir, 'home'), { mode: 0o500 });
  await chmod(dir, 0o555);
  // Root may write anywhere: be nobody for a moment.
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid!(65534);
  try {
    await assert.rejects(openHome(join(dir, 'home')), { code: 'home-read-only' });
    await assert.rejects(openHome(join(dir, 'new')), { code: 'home-read-only' });
  } finally {
    if (isRoot) process.seteuid!(0);
    await chmod(dir, 0o700);
  }
});

test('the socket lies in the home while its path fits, then in the runtime directory, then in tmp', () => {
  const env = { XDG_RUNTIME_DIR: '/run/user/1000' };
  assert.equal(homePaths('/home/a', env).gatewaySocket, '/home/a/gateway.sock');
  const atLimit = `/${'x'.repeat(100 - 1 - '/gateway.sock'.length)}`;
  assert.equal(homePaths(atLimit, env).gatewaySocket, `${atLimit}/gateway.sock`);
  const long = `${atLimit}y`;
  assert.match(homePaths(long, env).gatewaySocket, /^\/run\/user\/1000\/althing-[0-9a-f]{16}\.sock$/);
  assert.notEqual(homePaths(long, env).gatewaySocket, homePaths(`${long}z`, env).gatewaySocket);
  for (const XDG_RUNTIME_DIR of [undefined, 'relative', `/${'r'.repeat(100)}`]) {
    const { gatewaySocket } = homePaths(long, { XDG_RUNTIME_DIR });
    assert.match(gatewaySocket, /^\/.*\/althing-[^/]+\/[0-9a-f]{16}\.sock$/);
    assert.ok(Buffer.byteLength(gatewaySocket) <= 100);
  }
  // Bytes count, not characters.
  assert.match(homePaths(`/${'ü'.repeat(60)}`, env).gatewaySocket, /^\/run\/user/);
});

test('a socket directory in tmp that somebody else laid out is not used', async (t) => {
  const dir = await tempDir(t);
  const before = process.env.TMPDIR;
  process.env.TMPDIR = dir;
  t.after(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  });
  const home = join(dir, 'h'.repeat(100));
  const socketDir = dirname(homePaths(home, {}).gatewaySocket);
  assert.equal(dirname(socketDir), dir);
  await symlink('/tmp', socketDir);
  await assert.rejects(openHome(home, { env: {} }), {
    code: 'bad-option',
    message: /belongs to someone else/,
  });
  await rm(socketDir);
  await mkdir(socketDir, { mode: 0o777 });
  await chmod(socketDir, 0o777);
  await assert.rejects(openHome(home, { env: {} }), { code: 'bad-option' });
  await rm(socketDir, { recursive: true });
  await openHome(home, { env: {} });
  assert.equal(await modeOf(socketDir), 0o700);
});
