/** The ids that people type: of officers and of agencies. */

/** Whether a text may be such an id. */
export const isId = (text: string | null): text is string => /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text ?? '');
