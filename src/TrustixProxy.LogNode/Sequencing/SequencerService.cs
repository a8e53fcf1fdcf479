using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;

namespace TrustixProxy.LogNode.Sequencing;

/// <summary>Runs the sequencers and cosigners of all logs, each on its own thread, since writes wait for the disk.</summary>
internal sealed class SequencerService(IReadOnlyList<SupervisedLoop> loops, TimeProvider time, ILogger logger)
    : SupervisedService(time, logger)
{
    protected override IEnumerable<SupervisedLoop> Loops => loops;
}
