/** Files that a page makes for its reader. */

/** Save a file on the reader's device. */
export function saveFile(name: string, type: string, text: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

export type Cell = string | number | null | undefined;

/** Return one value of a CSV file (RFC 4180). Words that a spreadsheet would take for a formula get a `'` in front. */
export function csvCell(value: Cell): string {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Return a word of a file that is made for readers of either language: Thai beside the English name. */
export const inBoth = (thai: string | undefined, english: string): string => (thai ? `${thai} (${english})` : english);

/** Return a CSV file that spreadsheets open as UTF-8. */
export const csvFile = (rows: readonly (readonly Cell[])[]): string =>
  `\ufeff${rows.map((cells) => `${cells.map(csvCell).join(',')}\r\n`).join('')}`;
