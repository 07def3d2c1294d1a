/** The message that the reader sees for a refused request. */

import { t } from './i18n.js';

/** Return the text for an ApiError; `special` maps a status to a message key of its own. */
export function errorText(error, special = {}) {
  const { status } = error;
  if (special[status]) return t(special[status]);
  if (status === 0) return t('unreachable');
  return t('problems')[status] ?? (status >= 500 ? t('busy') : t('problems').other);
}
