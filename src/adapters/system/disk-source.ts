/**
 * Room on the file systems that matter: the root's, and the home's where that is another one.
 * Relies on statfs(2), which Node has on every system.
 */
import { stat, statfs } from 'node:fs/promises';
import { bytes, percent, rounded, type SystemProperty, type SystemSource } from './system-source.ts';

/** A file system to watch: how its properties are called, and any path on it. */
export interface Disk {
  readonly name: string;
  readonly path: string;
}

/** Sources for the given disks; one that is missing, or the same file system as an earlier one, is left out. */
export const diskSources = async (disks: readonly Disk[]): Promise<SystemSource[]> => {
  const seen = new Set<number>();
  const sources: SystemSource[] = [];
  for (const disk of disks) {
    const device = await stat(disk.path).then(
      ({ dev }) => dev,
      () => undefined,
    );
    if (device === undefined || seen.has(device)) continue;
    seen.add(device);
    sources.push(diskSource(disk));
  }
  return sources;
};

const diskSource = ({ name, path }: Disk): SystemSource => {
  const prefix = `${name}Disk`;
  const properties: SystemProperty[] = [
    { name: `${prefix}Total`, affordance: bytes(`Disk ${path}`, { observable: false }) },
    {
      name: `${prefix}Available`,
      affordance: bytes(`Disk ${path}, available`),
      deadBand: 16 * 1024 * 1024,
    },
    { name: `${prefix}Used`, affordance: percent(`Disk ${path}, in use`), deadBand: 0.1 },
  ];
  const read = async () => {
    const { bsize, blocks, bfree, bavail } = await statfs(path);
    const used = blocks - bfree;
    return {
      [`${prefix}Total`]: blocks * bsize,
      [`${prefix}Available`]: bavail * bsize,
      // As df(1) counts: of what users can have, without the part reserved for root.
      [`${prefix}Used`]: used + bavail === 0 ? 0 : rounded((100 * used) / (used + bavail), 1),
    };
  };
  return { properties, read };
};
