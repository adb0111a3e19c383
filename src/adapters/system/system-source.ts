/**
 * What the system adapter is made of: sources, each of which reads some properties of the machine together.
 * Relies on clocks passed in; a source exists only where the machine has what it reads.
 */
import type { PropertyAffordance } from '../../thing/thing-description.ts';

/** The values of one source at one moment, by property name. */
export type Readings = Readonly<Record<string, unknown>>;

/** One property of the Thing. */
export interface SystemProperty {
  readonly name: string;
  /** As in the TD; without forms. */
  readonly affordance: PropertyAffordance;
  /** Numbers that moved by less are not told to observers; by default every change is. */
  readonly deadBand?: number;
  /** Writes the value, checked against the affordance before. */
  readonly write?: (value: unknown) => Promise<void>;
}

/** Properties that are read together. */
export interface SystemSource {
  readonly properties: readonly SystemProperty[];
  /** Reads all of them; rejects with what the file system throws. */
  read(): Promise<Readings>;
}

/** A source whose readings are kept for `keepMs`: several readers at once cost one reading. `now` in milliseconds. */
export const cachedSource = (source: SystemSource, keepMs: number, now: () => number): SystemSource => {
  let readings: Promise<Readings> | undefined;
  let readAt = 0;
  const read = (): Promise<Readings> => {
    if (readings && now() - readAt < keepMs) return readings;
    readAt = now();
    const reading = source.read();
    readings = reading;
    // A failure is not kept: whoever asks next tries again.
    reading.catch(() => {
      if (readings === reading) readings = undefined;
    });
    return reading;
  };
  const written = (write: (value: unknown) => Promise<void>) => async (value: unknown) => {
    await write(value);
    readings = undefined;
  };
  const properties = source.properties.map((property) =>
    property.write ? { ...property, write: written(property.write) } : property,
  );
  return { properties, read };
};

/** Whether observers are to be told: numbers by their dead band, all else by any difference. */
export const hasChanged = (before: unknown, after: unknown, deadBand = 0): boolean => {
  if (typeof before === 'number' && typeof after === 'number') {
    const distance = Math.abs(after - before);
    return distance > 0 && distance >= deadBand;
  }
  return JSON.stringify(before) !== JSON.stringify(after);
};

/** A read-only observable quantity. `unit` is a UCUM code. */
export const quantity = (title: string, unit: string, more: PropertyAffordance = {}): PropertyAffordance => ({
  title,
  type: 'number',
  unit,
  readOnly: true,
  observable: true,
  ...more,
});

/** A share of a whole. */
export const percent = (title: string, more: PropertyAffordance = {}): PropertyAffordance =>
  quantity(title, '%', { minimum: 0, maximum: 100, ...more });

/** An amount of bytes. */
export const bytes = (title: string, more: PropertyAffordance = {}): PropertyAffordance =>
  quantity(title, 'By', { type: 'integer', minimum: 0, ...more });

/** Rounded to so many decimals, so that values read well. */
export const rounded = (value: number, decimals: number): number => Number(value.toFixed(decimals));
