import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { fakePeerId, lampId, lampTd } from '../testing/fake-peer.ts';
import type { Form } from '../thing/thing-description.ts';
import { directoryTd } from './directory-td.ts';
import { type HttpAccess, withHttpForms } from './http-forms.ts';

const bearer: HttpAccess = { base: 'http://127.0.0.1:7420', scheme: 'bearer' };
const nosec: HttpAccess = { base: 'http+unix://%2Frun%2Fa.sock', scheme: 'nosec' };
const opsOf = (forms: readonly Form[] | undefined) =>
  (forms ?? []).filter((form) => !form.href.startsWith('althing:')).map((form) => form.op);

test('TDs with HTTP forms fit the W3C schema of TD 1.1', () => {
  const require = createRequire(import.meta.url);
  const schema = require('wot-thing-description-types/schema/td-json-schema-validation.json');
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  const valid = ajv.compile(schema);
  for (const access of [bearer, nosec])
    for (const td of [withHttpForms(lampTd, access), directoryTd(fakePeerId, access)])
      assert.ok(valid(td), JSON.stringify(valid.errors, undefined, 1));
});

test('forms offer what the affordance allows, and no more', () => {
  const { properties, actions, events, forms } = withHttpForms(lampTd, nosec);
  assert.deepEqual(opsOf(properties?.on?.forms), [
    ['readproperty'],
    ['writeproperty'],
    ['observeproperty', 'unobserveproperty'],
    ['observeproperty', 'unobserveproperty'],
  ]);
  assert.deepEqual(opsOf(properties?.temperature?.forms), [['readproperty']]);
  assert.deepEqual(opsOf(properties?.pin?.forms), [['writeproperty']]);
  assert.deepEqual(opsOf(actions?.add?.forms), [['invokeaction']]);
  assert.equal(opsOf(events?.overheated?.forms).length, 2);
  assert.deepEqual(opsOf(forms), [['readallproperties'], ['writemultipleproperties']]);
});

test('hrefs resolve against base, and declare uriVariables', () => {
  const td = withHttpForms(lampTd, bearer);
  const form = td.properties?.temperature?.forms?.find((one) => !one.href.startsWith('althing:'));
  assert.equal(form?.href, 'properties/temperature{?unit,digits}');
  assert.equal(
    new URL('properties/on', td.base as string).href,
    `http://127.0.0.1:7420/things/${lampId}/properties/on`,
  );
});

test('the TD takes the security of HTTP, its own forms keep theirs, and the original stays as it was', () => {
  const before = structuredClone(lampTd);
  const td = withHttpForms(lampTd, bearer);
  assert.deepEqual(td.security, ['althing_bearer']);
  assert.equal(td.securityDefinitions.althing_bearer?.scheme, 'bearer');
  assert.equal(td.properties?.on?.forms?.[0]?.security, 'nosec_sc');
  assert.ok('nosec_sc' in td.securityDefinitions);
  assert.deepEqual(lampTd, before);
});

test('where a token is needed long polling comes first, elsewhere SSE', () => {
  const first = (access: HttpAccess) =>
    withHttpForms(lampTd, access).events?.overheated?.forms?.find((form) => form.subprotocol)?.subprotocol;
  assert.deepEqual([first(bearer), first(nosec)], ['longpoll', 'sse']);
});
