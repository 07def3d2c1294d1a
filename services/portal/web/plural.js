/** English plurals. */

/** Return the count with its noun: `1 course`, `2 courses`. */
export const plural = (count, one, many) => `${count} ${Number(count) === 1 ? one : many}`;
