/**
 * Rows of text in aligned columns, as people read them on a terminal.
 * Relies on nothing.
 */

/** Headings and rows, each column as wide as its widest cell, two spaces between; null and '' show as a dash. */
export const table = (headings: readonly string[], rows: readonly (readonly (string | null)[])[]): string => {
  const cells = [
    headings,
    ...rows.map((row) => row.map((cell) => (cell === null || cell === '' ? '-' : cell.replace(/\s+/g, ' ')))),
  ];
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
};
