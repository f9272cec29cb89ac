/** Names that are written alike in every language. */
export const NAMES = {
  'network.cnn': 'CNN',
  'network.rnn': 'RNN',
  'network.mlp': 'MLP',
  'value.tpe': 'TPE',
  'value.adamw': 'AdamW',
  'value.adam': 'Adam',
  'value.sgd': 'SGD',
  'value.muon': 'Muon',
  'value.huber': 'Huber',
  'value.bpr': 'BPR',
  'value.lstm': 'LSTM',
  'value.gru': 'GRU',
  'value.cpu': 'CPU',
  'value.cuda': 'CUDA',
  'network.resnet': 'ResNet',
  'network.quicknet': 'QuickNet',
  'network.transformer': 'Transformer',
  'network.tcn': 'TCN',
  'network.crnn': 'CRNN'
};
