/** The ids of the commands; others may bind keys or menus to them. */
export const Commands = {
  openStudio: 'lepton-lab:open-studio',
  showRuns: 'lepton-lab:show-runs',
  quickstart: 'lepton-lab:quickstart',
  openCurve: 'lepton-lab:open-curve',
  openEndpoint: 'lepton-lab:open-endpoint',
  compare: 'lepton-lab:compare',
  openDashboard: 'lepton-lab:open-dashboard',
  freeSpace: 'lepton-lab:free-space'
} as const;
