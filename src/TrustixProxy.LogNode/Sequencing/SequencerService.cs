using Microsoft.Extensions.Hosting;

namespace TrustixProxy.LogNode.Sequencing;

/// <summary>Runs the sequencers of all logs, each on a thread of its own: writing waits for the disk.</summary>
internal sealed class SequencerService(IReadOnlyList<Sequencer> sequencers) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(sequencers.Select(sequencer => Task.Run(() => sequencer.RunAsync(stoppingToken), CancellationToken.None)));
}
