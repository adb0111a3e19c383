/**
 * Failures as HTTP answers: RFC 9457 problem details, with the status of the error table.
 * Relies on the error table alone; every route's failure passes through here.
 */
import type { Problem } from '../core/api-shapes.ts';
import { AlthingError, type ErrorCode, errorTable, toAlthingError } from '../core/errors.ts';

/** An error as problem details (RFC 9457, section 3); `code` and `details` are our extension members. */
export const problemOf = (error: AlthingError): Problem => ({
  type: `urn:althing:error:${error.code}`,
  title: titleOf(error.code),
  status: errorTable[error.code].status,
  detail: error.message,
  code: error.code,
  ...(error.details === undefined ? {} : { details: error.details }),
});

const titleOf = (code: ErrorCode): string => {
  const words = code.replaceAll('-', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
};

/** Anything thrown, as a response with an `application/problem+json` body. */
export const problemResponse = (thrown: unknown, headers: Record<string, string> = {}): Response => {
  const error = toAlthingError(thrown);
  const problem = problemOf(error);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(error.code === 'unauthorized' ? { 'www-authenticate': 'Bearer realm="althing"' } : {}),
      ...headers,
    },
  });
};

/** The error of a path that no route has. */
export const unknownPath = (path: string): AlthingError =>
  new AlthingError('not-found', `There is nothing at ${path}. GET /openapi.json lists every path.`);
