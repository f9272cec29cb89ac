/** The ids of the commands; others may bind keys or menus to them. */
export const Commands = {
  openStudio: 'lepton-lab:open-studio',
  showRuns: 'lepton-lab:show-runs',
  quickstart: 'lepton-lab:quickstart',
  openCurve: 'lepton-lab:open-curve'
} as const;
