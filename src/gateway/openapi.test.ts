import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../core/logger.ts';
import { FakePeer } from '../testing/fake-peer.ts';
import { gatewayRoutes } from './app.ts';
import { openApi } from './openapi.ts';
import { EventStreams } from './sse.ts';

const routes = gatewayRoutes({
  peer: new FakePeer(),
  streams: new EventStreams(),
  logger: silentLogger,
  left: () => {},
  address: { socket: '', http: null },
});
const document = openApi('1.2.3') as {
  info: { version: string };
  paths: Record<string, Record<string, { description: string; parameters?: { name: string; in: string }[] }>>;
  components: { schemas: Record<string, unknown> };
};
const methods = ['get', 'put', 'post', 'delete'];

test('every route is described, and every described route exists', () => {
  const mounted = routes.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
  const described = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item)
      .filter((key) => methods.includes(key))
      .map((method) => `${method} ${path}`),
  );
  assert.deepEqual(described.sort(), mounted.sort());
  assert.equal(document.info.version, '1.2.3');
});

test('the scope that is described is the one that is needed', () => {
  for (const { method, path, scope } of routes) {
    const described = document.paths[path.replace(/:(\w+)/g, '{$1}')]?.[method]?.description;
    assert.equal(described, `Needs a token of scope "${scope}".`, `${method} ${path}`);
  }
});

test('path parameters are declared, and references lead somewhere', () => {
  for (const [path, item] of Object.entries(document.paths)) {
    const wanted = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    const declared = (item.parameters as unknown as { name: string }[] | undefined) ?? [];
    assert.deepEqual(
      declared.map((parameter) => parameter.name),
      wanted,
      path,
    );
  }
  for (const [, name] of JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g))
    assert.ok(name && name in document.components.schemas, name);
});
