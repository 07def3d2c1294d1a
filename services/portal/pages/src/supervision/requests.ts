/** The requests of admins about supervision: the policy, and the plans that it opens to a supervisor of an agency. */

import type * as recommender from '../../generated/recommender';
import { answer, api } from '../api';

export type Policy = recommender.components['schemas']['SupervisionPolicy']['paths'];

/** How many officers of an agency have a plan, and how many of these show it by a link; `more`: there are others. */
export interface Counts {
  plans: number;
  shown: number;
  more: boolean;
}

const PAGE = 200;
const MOST_PAGES = 10; // for a larger agency the page shows that there are more

/** Set whose plans supervisors may read. */
export const putSupervision = (paths: Policy) => answer(api.PUT('/v1/supervision', { body: { paths } }));

/** Count the plans of an agency, those that are shown by a link among them. */
export async function countPlans(agency_id: string): Promise<Counts> {
  const counts: Counts = { plans: 0, shown: 0, more: false };
  let after: string | null = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const query: { limit: number; after?: string } = { limit: PAGE, ...(after === null ? {} : { after }) };
    const found = await answer(api.GET('/v1/agencies/{agency_id}/paths', { params: { path: { agency_id }, query } }));
    counts.plans += found.officers.length;
    counts.shown += found.officers.filter((one) => one.shared_until !== null).length;
    after = found.next;
    if (after === null) return counts;
  }
  return { ...counts, more: true };
}
