/** The pages of the portal by the role that sees them; each is fetched when it is opened. */

import type { ComponentType } from 'preact';
import type { Session } from './api';

type Load = () => Promise<{ default: ComponentType }>;

const officer: Load = () => import('./officer/page');

/** What somebody of a role sees after signing in. */
export const VIEWS: Record<Session['role'], Load> = {
  officer,
  platform: officer,
  supervisor: officer,
  admin: officer,
};
