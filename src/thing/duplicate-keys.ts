/**
 * Finds members that occur twice in one object of a JSON text: parsers keep the last and say nothing.
 * Relies on the text being valid JSON; parse it first.
 */
import { pointerStep } from './plain-value.ts';

interface Level {
  /** Undefined in an array. */
  readonly names: Set<string> | undefined;
  /** Where in its parent this object or array is. */
  readonly pointer: string;
  /** The member or the index that is being read. */
  at: string | number;
}

/** JSON pointers (RFC 6901) of the members that occur more than once, in order of their repetition; at most `limit`. */
export const duplicateKeys = (jsonText: string, limit = 5): string[] => {
  const found: string[] = [];
  const open: Level[] = [];
  // Strings, and the marks around them: numbers and words never matter here.
  const tokens = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;
  let pending: string | undefined;
  for (const [token] of jsonText.matchAll(tokens)) {
    const level = open.at(-1);
    switch (token) {
      case '{':
      case '[':
        open.push({
          names: token === '{' ? new Set() : undefined,
          pointer: level ? level.pointer + pointerStep(level.at) : '',
          at: 0,
        });
        break;
      case '}':
      case ']':
        open.pop();
        break;
      case ',':
        if (level && typeof level.at === 'number') level.at++;
        break;
      case ':': {
        if (!level?.names || pending === undefined) break;
        const name = JSON.parse(pending) as string;
        if (level.names.has(name)) {
          found.push(level.pointer + pointerStep(name));
          if (found.length >= limit) return found;
        }
        level.names.add(name);
        level.at = name;
        break;
      }
      default:
        pending = token;
    }
  }
  return found;
};
