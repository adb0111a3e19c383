/**
 * What a request carries: its body within bounds, its uriVariables, its deadline and its cause.
 * Relies on the TD for the types of uriVariables; the device checks values against the schemas.
 */
import type { BaseIssue, BaseSchema, InferOutput } from 'valibot';
import { safeParse } from 'valibot';
import { AlthingError } from '../core/errors.ts';
import type { CallOptions } from '../thing/operations.ts';
import type { Affordance } from '../thing/thing-description.ts';
import type { Gateway, GatewayContext } from './routes.ts';

/** The largest request body, in bytes. */
export const maxBodyBytes = 1024 * 1024;
const longestTimeoutMs = 10 * 60 * 1000;

const tooLarge = (): AlthingError =>
  new AlthingError('value-too-large', `A request body has at most ${maxBodyBytes} bytes (1 MiB).`);

/** The body's bytes. Throws `value-too-large`. */
const readBody = async (c: GatewayContext): Promise<Uint8Array> => {
  const declared = c.req.header('content-length');
  if (declared !== undefined) {
    if (Number(declared) > maxBodyBytes) throw tooLarge();
    // The HTTP parser holds the sender to the length that it declared.
    return new Uint8Array(await c.req.arrayBuffer());
  }
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of c.req.raw.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBodyBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

/**
 * The body as a value: JSON, or bytes where the type is `application/octet-stream`; undefined where it is empty.
 * Throws `value-too-large`, `bad-input`.
 */
export const readInput = async (c: GatewayContext): Promise<unknown> => {
  const bytes = await readBody(c);
  if (bytes.length === 0) return undefined;
  const type = (c.req.header('content-type') ?? 'application/json').split(';')[0]!.trim().toLowerCase();
  if (type === 'application/octet-stream') return bytes;
  if (type !== 'application/json' && !type.endsWith('+json'))
    throw new AlthingError('bad-input', `Send the body as application/json, not as ${type}.`);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new AlthingError('bad-input', `The body is not JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
};

/** The JSON body, checked against a schema. Throws `value-too-large`, `bad-input`. */
export const readObject = async <Schema extends BaseSchema<unknown, unknown, BaseIssue<unknown>>>(
  c: GatewayContext,
  schema: Schema,
): Promise<InferOutput<Schema>> => {
  const input = (await readInput(c)) ?? {};
  if (Array.isArray(input))
    throw new AlthingError('bad-input', 'The body must be a JSON object, not a list.');
  const parsed = safeParse(schema, input);
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  const path = issue.path?.map((item) => String(item.key)).join('.');
  throw new AlthingError(
    'bad-input',
    `The body does not fit${path ? ` at "${path}"` : ''}: ${issue.message}`,
  );
};

/**
 * The query parameters that an affordance declares as uriVariables (TD 1.1, section 5.3.1.2), in their types.
 * Throws `uri-variable-invalid` for one that is not declared or not of its type.
 */
export const readUriVariables = (c: GatewayContext, affordance: Affordance): Record<string, unknown> => {
  const variables: Record<string, unknown> = {};
  const declared = affordance.uriVariables ?? {};
  for (const [name, text] of Object.entries(c.req.query())) {
    const schema = Object.hasOwn(declared, name) ? declared[name] : undefined;
    if (schema === undefined)
      throw new AlthingError('uri-variable-invalid', `The affordance has no uriVariable "${name}".`);
    const value = typedValue(text, schema.type);
    if (value === undefined)
      throw new AlthingError(
        'uri-variable-invalid',
        `The uriVariable "${name}" is no ${schema.type}: "${text}".`,
      );
    variables[name] = value;
  }
  return variables;
};

/** Text as a value of a JSON Schema type, or undefined where it is none. */
const typedValue = (text: string, type: unknown): unknown => {
  switch (type) {
    case 'number':
    case 'integer': {
      const number = Number(text);
      return text.trim() !== '' && Number.isFinite(number) ? number : undefined;
    }
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : undefined;
    case 'object':
    case 'array':
      try {
        return JSON.parse(text);
      } catch {
        // Not JSON: the caller names the variable.
        return undefined;
      }
    default:
      return text;
  }
};

/**
 * Deadline, cancellation and cause of a request. `Althing-Timeout` gives the milliseconds to wait;
 * `Althing-Origin: cli` is believed on the unix socket only. Throws `bad-input`.
 */
export const callOptions = (c: GatewayContext, gateway: Gateway): CallOptions => {
  const timeout = c.req.header('althing-timeout');
  const timeoutMs = timeout === undefined ? undefined : Number(timeout);
  if (timeoutMs !== undefined && !(timeoutMs >= 1 && timeoutMs <= longestTimeoutMs))
    throw new AlthingError('bad-input', `Althing-Timeout takes 1 to ${longestTimeoutMs} milliseconds.`);
  const fromCli = c.env.via === 'socket' && c.req.header('althing-origin') === 'cli';
  return {
    signal: c.req.raw.signal,
    cause: gateway.peer.newCause(fromCli ? 'cli' : 'http'),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
};
