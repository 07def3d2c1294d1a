/** The pages of a platform: the paths of officers, and the report of an agency. */

import type { JSX } from 'preact';
import { linkTo, params } from '../address';
import { type RolePage, RolePages } from '../role_pages';
import { agency, officer } from '../views';

const PAGES: readonly RolePage[] = [
  { name: 'officers', link: '#choose', words: 'agency.navOfficers', title: 'title', load: officer },
  { name: 'agency', link: linkTo({ view: 'agency' }), words: 'agency.navAgency', title: 'agency.title', load: agency },
];

/** Both pages, with links between them. */
export default function PlatformPage(): JSX.Element {
  return <RolePages label="agency.nav" pages={PAGES} open={params.value.get('view') === 'agency' ? 'agency' : 'officers'} />;
}
